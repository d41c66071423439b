"""`leaf push`: publish shards on the Hub in one commit.

    survey     check every record of the shards against the terms; refuse what may not be published
    files      shard/ as built, or push/ with references instead of images
    compare    with the repository: new and changed files are sent, files that are no longer built are deleted
    upload     one file after another; an interruption costs only the file in transfer
    commit     all changes at once; then the tag

With --to the same files go to a bucket or a folder (prefix).

The published files of shard/ are the shards named in reports and the names in checks.BESIDE. Gathered rows,
keys and reports are not published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Self

from leafinstruct.errors import PublishError
from leafinstruct.publish import checks, plan, reference
from leafinstruct.publish.checks import Survey, Terms
from leafinstruct.publish.plan import Local, Plan
from leafinstruct.publish.prefix import Prefix, refuse_strangers
from leafinstruct.publish.repository import Found, Repository
from leafinstruct.records.preference.row import FOLDER
from leafinstruct.runtime import hub
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.files import file_sha256
from leafinstruct.runtime.last_write import last_write

_SCREENED = {
    "personal-data": "personal data in the texts",
    "toxicity": "toxic language in the texts",
    "nsfw": "nudity and violence in the images",
}
"""Screen -> what it looks for."""

OnStep = Callable[[str, int, int, int], None]
"""Called with (step, done, total, megabytes uploaded so far)."""


@dataclass(frozen=True)
class PushSettings:
    """Settings of `leaf push`.

    name: `name@version` of the recipe. drifted: changes since the build, one line a stage. allowed: faults to
    ignore. overwrite: whether foreign files in the repository may be replaced. to: a bucket's prefix or a
    folder to write to, instead of the repository.
    """

    repo: str
    name: str
    terms: Terms
    to: str | None = None
    revision: str | None = None
    tag: str | None = None
    public: bool = False
    allowed: frozenset[str] = frozenset()
    drifted: tuple[str, ...] = ()
    overwrite: bool = False

    @classmethod
    def of(
        cls,
        loaded: checks.Loaded,
        repo: str,
        revision: str | None = None,
        tag: str | None = None,
        public: bool = False,
        allowed: Iterable[str] = (),
        overwrite: bool = False,
        to: str | None = None,
    ) -> Self:
        """The settings of a recipe and of the command. allowed: in addition to `push.allow` of the recipe."""
        return cls(
            repo=repo,
            name=loaded.recipe.full_name,
            terms=Terms.of(loaded),
            revision=revision,
            tag=tag,
            public=public,
            allowed=frozenset({*loaded.recipe.push.allow, *allowed}),
            overwrite=overwrite,
            to=to,
        )


@dataclass(frozen=True)
class Pushed:
    """Result of a push. images, why: form of the images and the reason. made: whether the repository is, or
    would be, new. private: None for a bucket or a folder. commit: None if nothing changed, after a dry run,
    and for a bucket or a folder."""

    repo: str
    images: Literal["bytes", "reference"]
    why: str
    plan: Plan
    survey: Survey
    made: bool
    private: bool | None
    commit: str | None = None
    url: str = ""
    notes: tuple[str, ...] = ()


def push(settings: PushSettings, shards: Artifact, out: Artifact, dry_run: bool, on_step: OnStep) -> Pushed:
    """Publish a built dataset. shards: the shard stage; out: the folder for references. Raises PublishError.

    A dry run writes references to a temporary folder, since their sizes and checksums are needed.
    """
    if dry_run:
        with TemporaryDirectory(prefix="leaf-") as folder:
            return _push(settings, shards, Artifact(Path(folder)), dry_run, on_step)
    return _push(settings, shards, out, dry_run, on_step)


def _push(settings: PushSettings, shards: Artifact, out: Artifact, dry_run: bool, on_step: OnStep) -> Pushed:
    if settings.to is None:
        hub.check_name(settings.repo, "--repo", PublishError)
    place = None if settings.to is None else Prefix(settings.to)
    found = _survey(settings, shards, on_step)
    images, why = form(settings, found)
    checks.refuse(found, settings.allowed, images == "bytes")
    if place is not None:
        here = _files(settings, shards, out, images, on_step)
        return _push_to(
            settings,
            place,
            here,
            Pushed(place.url, images, why, plan.NOTHING, found, False, None),
            dry_run,
            on_step,
        )
    retry = "nothing is visible yet and uploaded files are kept; run the same command again"
    speaking = partial(
        hub.uploading,
        f"--repo {settings.repo}",
        "a dry run uploads nothing" if dry_run else retry,
        PublishError,
    )
    repository = Repository(settings.repo, settings.revision)
    with speaking():
        there = repository.look()
    _refuse_place(settings, there)
    files = _files(settings, shards, out, images, on_step)
    here = [*files, plan.listing(files, _facts(settings, images))]
    change = plan.compare(here, there.files if there else {}, there.listed if there else {})
    notes = _notes(settings, there, change)
    pushed = Pushed(
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
        return pushed
    if change.strangers and not settings.overwrite:
        raise PublishError(
            f"--repo {settings.repo}: {checks.few(change.strangers)} in this repository "
            f"{'was' if len(change.strangers) == 1 else 'were'} not pushed by leaf; "
            "give --overwrite to replace, or another repository"
        )
    with speaking():
        head, fresh = _upload(settings, repository, there, here, change, on_step)
        with last_write():
            commit = head if fresh.empty else repository.commit(here, fresh, head, _message(settings, fresh))
            if settings.tag is not None and (there is None or settings.tag not in there.tags):
                repository.tag(settings.tag, commit)
    return replace(pushed, url=repository.url(), commit=None if change.empty else commit)


def _push_to(
    settings: PushSettings, place: Prefix, here: list[Local], pushed: Pushed, dry_run: bool, on_step: OnStep
) -> Pushed:
    """Write the files to a prefix. pushed: what is known of it."""
    change = place.compare(here)
    pushed = replace(pushed, plan=change, made=not (change.changed or change.same))
    if dry_run:
        return pushed
    if not settings.overwrite:
        refuse_strangers(change, place.url)
    place.write(
        here,
        _facts(settings, pushed.images),
        lambda done, total, sent: on_step("uploading", done, total, sent // 1_000_000),
    )
    return replace(pushed, url=place.url)


def form(settings: PushSettings, found: Survey) -> tuple[Literal["bytes", "reference"], str]:
    """Form of the published images, and the reason as a message."""
    wanted = settings.terms.config.images
    if wanted != "auto":
        return wanted, f"push.images: {wanted}"
    fault = found.faults.get("image-license")
    if fault is None:
        return "bytes", "all image licenses are on push.image_licenses"
    return "reference", f"{fault.records:,} records have images whose license is not on push.image_licenses"


def _survey(settings: PushSettings, shards: Artifact, on_step: OnStep) -> Survey:
    record, parts = shards.record, shards.parts()
    if not parts:
        raise PublishError(f"{shards.path}: contains no shard; run `leaf build`")
    files = [shards.path / f"{part}.parquet" for part in parts]
    checks.compare(shards, lambda done: on_step("checking checksums", done, len(files), 0))
    found = checks.survey(
        files,
        settings.terms,
        lambda done: on_step("checking shards", done, len(files), 0),
        sorted((shards.path / FOLDER).glob("*.parquet")),
    )
    if record is None or not (shards.path / "README.md").is_file():
        found.whole("unfinished", f"the build of {shards.path} is not complete ({len(parts)} shards so far)")
    elif settings.drifted:
        found.whole("drift", "; ".join(settings.drifted[:4]))
    filtered = shards.upstream.upstream if shards.upstream else None
    if filtered is not None and (filtered.record or {}).get("toy"):
        found.whole("toy", "the tiny CLIP scored images that it does not recognize (allow_toy: true)")
    if settings.public and filtered is not None:
        for screen in (filtered.record or {}).get("unscreened", ()):
            found.whole(f"unscreened-{screen}", f"nothing looked for {_SCREENED[screen]}")
    return found


def _refuse_place(settings: PushSettings, there: Found | None) -> None:
    """Raise PublishError for a public repository without --public, and for a tag of another commit."""
    if there is None:
        return
    if not there.private and not settings.public:
        raise PublishError(
            f"--repo {settings.repo}: this repository is public; give --public to push there, or use another "
            "name"
        )
    if settings.tag in there.tags and there.tags[settings.tag] != there.head:
        raise PublishError(
            f"--tag {settings.tag}: this tag already names another commit; give a new tag, since tags are "
            "never moved"
        )


def _files(
    settings: PushSettings, shards: Artifact, out: Artifact, images: str, on_step: OnStep
) -> list[Local]:
    """All files to be published, without our list."""
    if images == "bytes":
        folder, sums = (
            shards.path,
            {name: sha for report in shards.reports() for name, sha in report.files.items()}
            | (shards.record or {}).get("beside", {}),
        )
        beside = [
            path for pattern in checks.BESIDE for path in sorted(folder.glob(pattern)) if path.is_file()
        ]
        paths = list(dict.fromkeys([*(folder / name for name in sorted(sums)), *beside]))
    else:
        folder = out.path
        paths = reference.write(
            shards,
            out,
            settings.repo,
            lambda done, of: on_step("leaving out images", done, of, 0),
            settings.to,
        )
        sums = {name: sha for report in out.reports() for name, sha in report.files.items()}
        sums |= {
            f"{FOLDER}/{name}": sha
            for report in Artifact(out.path / FOLDER).reports()
            for name, sha in report.files.items()
        }
    return [
        Local(
            name, folder / name, (folder / name).stat().st_size, sums.get(name) or file_sha256(folder / name)
        )
        for name in (path.relative_to(folder).as_posix() for path in paths)
    ]


def _facts(settings: PushSettings, images: str) -> dict[str, object]:
    """What `.leaf-push.json` states besides the files."""
    return {"recipe": settings.name, "images": images}


def _upload(
    settings: PushSettings,
    repository: Repository,
    there: Found | None,
    here: list[Local],
    change: Plan,
    on_step: OnStep,
) -> tuple[str, Plan]:
    """Upload everything to be committed. Returns the head of the branch, and the changes to it."""
    if there is None:
        repository.make(settings.public)
        there = repository.look()
        if there is None:
            raise PublishError(
                f"--repo {settings.repo}: was created, but this token cannot read it; check the token's "
                "permissions"
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
    counts = [f"{len(files)} {what}" for what, files in change.groups.items() if files and what != "same"]
    return f"{settings.name}: {', '.join(counts)}"


def _notes(settings: PushSettings, there: Found | None, change: Plan) -> tuple[str, ...]:
    notes = []
    if there is not None and there.private and settings.public:
        notes.append(f"{settings.repo} is private and stays private; change this in its settings on the Hub")
    if change.left:
        notes.append(
            f"not deleted, because they were changed after they were pushed: {checks.few(change.left)}"
        )
    return tuple(notes)


def facts(pushed: Pushed) -> dict[str, object]:
    """The result of a push as JSON values."""
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
