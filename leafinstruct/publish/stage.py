"""push: shards -> the Hub, in one commit, or nothing.

    survey     every record of the shards, against the terms: what may not go out is refused, by name and number
    files      shard/ as it was built, or push/ with references in place of images
    compare    with what is there: only what is new or changed is sent, what was pushed once and is built no more goes
    upload     one file after another; a cut costs the file that was under way
    commit     all of it or nothing; then the tag

Which files of shard/ are published is declared in checks.BESIDE: shards by their reports, and a few by name.
Gathered rows, keys and reports stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from leafinstruct.errors import PublishError
from leafinstruct.publish import checks, plan, reference
from leafinstruct.publish.checks import Survey, Terms
from leafinstruct.publish.plan import Local, Plan
from leafinstruct.publish.repository import Found, Repository
from leafinstruct.runtime import hub
from leafinstruct.runtime.artifact import Artifact, file_sha256
from leafinstruct.runtime.last_write import last_write

OnStep = Callable[[str, int, int, int], None]
"""Told of what is done: (what, done, of how many, million bytes until now)."""


@dataclass(frozen=True)
class PushSettings:
    """name: of the recipe, `name@version`. drifted: stages that do not stand as the recipe is now, with what
    changed; allowed: faults that go out all the same; overwrite: files there that are not ours."""

    repo: str
    name: str
    terms: Terms
    revision: str | None = None
    tag: str | None = None
    public: bool = False
    allowed: frozenset[str] = frozenset()
    drifted: tuple[str, ...] = ()
    overwrite: bool = False


@dataclass(frozen=True)
class Pushed:
    """What came of it. commit: None where nothing was to do, and after a dry run; made: whether the
    repository is, or would be, a new one."""

    repo: str
    images: Literal["bytes", "reference"]
    why: str
    plan: Plan
    survey: Survey
    made: bool
    private: bool
    commit: str | None = None
    url: str = ""
    notes: tuple[str, ...] = ()


def push(settings: PushSettings, shards: Artifact, out: Artifact, dry_run: bool, on_step: OnStep) -> Pushed:
    """Publish a built dataset. shards: its last stage; out: the folder for references. Raises PublishError.

    A dry run makes its references in a folder that goes with it: what would be sent is not known otherwise.
    """
    if dry_run:
        with TemporaryDirectory(prefix="leaf-") as folder:
            return _push(settings, shards, Artifact(Path(folder)), dry_run, on_step)
    return _push(settings, shards, out, dry_run, on_step)


def _push(settings: PushSettings, shards: Artifact, out: Artifact, dry_run: bool, on_step: OnStep) -> Pushed:
    hub.check_name(settings.repo, "--repo", PublishError)
    found = _survey(settings, shards, on_step)
    images, why = form(settings, found)
    checks.refuse(found, settings.allowed, images == "bytes")
    kept = "nothing is to be seen there; what was uploaded is kept, run the same command again"
    speaking = partial(
        hub.speaking,
        f"--repo {settings.repo}",
        "a dry run uploads nothing" if dry_run else kept,
        PublishError,
    )
    repository = Repository(settings.repo, settings.revision)
    with speaking():
        there = repository.look()
    _refuse_place(settings, there)
    here = _files(settings, shards, out, images, on_step)
    change = plan.compare(here, there.files if there else {}, there.listed if there else {})
    notes = _notes(settings, there, change)
    told = Pushed(
        settings.repo,
        images,
        why,
        change,
        found,
        there is None,
        there.private if there else not settings.public,
        notes=notes,
    )
    if dry_run:
        return told
    if change.strangers and not settings.overwrite:
        raise PublishError(
            f"--repo {settings.repo}: {_few(change.strangers)} there "
            f"{'is' if len(change.strangers) == 1 else 'are'} not what leaf pushed; "
            "say --overwrite to replace, or give another repository"
        )
    with speaking():
        head, fresh = _upload(settings, repository, there, here, change, on_step)
        with last_write():
            commit = head if fresh.empty else repository.commit(here, fresh, head, _message(settings, fresh))
            if settings.tag is not None and (there is None or settings.tag not in there.tags):
                repository.tag(settings.tag, commit)
    return replace(told, url=repository.url(), commit=None if change.empty else commit)


def form(settings: PushSettings, found: Survey) -> tuple[Literal["bytes", "reference"], str]:
    """How images go out, and why, for a person."""
    wanted = settings.terms.config.images
    if wanted != "auto":
        return wanted, f"push.images: {wanted}"
    fault = found.faults.get("image-license")
    if fault is None:
        return "bytes", "the license of every image is on push.image_licenses"
    return "reference", f"the images of {fault.records:,} records are under no license of push.image_licenses"


def _survey(settings: PushSettings, shards: Artifact, on_step: OnStep) -> Survey:
    record, parts = shards.record, shards.parts()
    if not parts:
        raise PublishError(f"{shards.path}: there is no shard yet; run `leaf build`")
    files = [shards.path / f"{part}.parquet" for part in parts]
    checks.compare(shards, lambda done: on_step("checking checksums", done, len(files), 0))
    found = checks.survey(files, settings.terms, lambda done: on_step("checking shards", done, len(files), 0))
    if record is None or not (shards.path / "README.md").is_file():
        found.whole("unfinished", f"{shards.path} was cut short, its {len(parts)} shards are not all")
    elif settings.drifted:
        found.whole("drift", "; ".join(settings.drifted[:4]))
    filtered = shards.upstream.upstream if shards.upstream else None
    if filtered is not None and (filtered.record or {}).get("toy"):
        found.whole("toy", "the packaged tiny CLIP judged images that it does not know (allow_toy: true)")
    return found


def _refuse_place(settings: PushSettings, there: Found | None) -> None:
    """Raises PublishError for a repository that others can see unasked, and for a tag that stands
    elsewhere."""
    if there is None:
        return
    if not there.private and not settings.public:
        raise PublishError(
            f"--repo {settings.repo}: is there already and everybody can see it; say --public if "
            "that is meant, or give another name"
        )
    if settings.tag in there.tags and there.tags[settings.tag] != there.head:
        raise PublishError(
            f"--tag {settings.tag}: is there already and names another commit; give another tag, a name "
            "is a promise"
        )


def _files(
    settings: PushSettings, shards: Artifact, out: Artifact, images: str, on_step: OnStep
) -> list[Local]:
    """Every file that is to be there, our list too."""
    if images == "bytes":
        folder, sums = (
            shards.path,
            {name: sha for report in shards.reports() for name, sha in report["files"].items()},
        )
        beside = [
            path for pattern in checks.BESIDE for path in sorted(folder.glob(pattern)) if path.is_file()
        ]
        paths = [*(folder / name for name in sorted(sums)), *beside]
    else:
        folder = out.path
        paths = reference.write(
            shards, out, settings.repo, lambda done, of: on_step("leaving out images", done, of, 0)
        )
        sums = {name: sha for report in out.reports() for name, sha in report["files"].items()}
    files = [
        Local(
            name, folder / name, (folder / name).stat().st_size, sums.get(name) or file_sha256(folder / name)
        )
        for name in (path.relative_to(folder).as_posix() for path in paths)
    ]
    return [*files, plan.listing(files, {"recipe": settings.name, "images": images})]


def _upload(
    settings: PushSettings,
    repository: Repository,
    there: Found | None,
    here: list[Local],
    change: Plan,
    on_step: OnStep,
) -> tuple[str, Plan]:
    """Upload what is to be committed. Returns the commit that the branch is at, and the change to it."""
    if there is None:
        repository.make(settings.public)
        there = repository.look()
        if there is None:
            raise PublishError(
                f"--repo {settings.repo}: was made, and is not to be seen with this token; check its rights"
            )
        change = plan.compare(here, there.files, there.listed)
    if not there.branch:
        repository.branch_off(there.head)
    sent = 0
    for done, file in enumerate(change.written):
        on_step("uploading", done, len(change.written), sent // 1_000_000)
        repository.upload(file)
        sent += file.size
    if not change.empty:
        on_step("uploading", len(change.written), len(change.written), sent // 1_000_000)
    return there.head, change


def _message(settings: PushSettings, change: Plan) -> str:
    return f"{settings.name}: {', '.join(f'{len(files)} {what}' for what, files in change.groups.items() if files and what != 'same')}"


def _notes(settings: PushSettings, there: Found | None, change: Plan) -> tuple[str, ...]:
    notes = []
    if there is not None and there.private and settings.public:
        notes.append(f"{settings.repo} stays private: it was made so; change it in its settings on the Hub")
    if change.left:
        notes.append(f"left alone, as somebody changed them since they were pushed: {_few(change.left)}")
    return tuple(notes)


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} others" if len(names) > 3 else "")


def facts(pushed: Pushed) -> dict[str, Any]:
    """What came of a push, for a machine."""
    return {
        "repo": pushed.repo,
        "images": pushed.images,
        "records": pushed.survey.records,
        "private": pushed.private,
        "made": pushed.made,
        "files": {
            what: [{"name": file.name, "bytes": file.size} for file in files]
            for what, files in pushed.plan.groups.items()
        },
        "strangers": list(pushed.plan.strangers),
        "commit": pushed.commit,
    }
