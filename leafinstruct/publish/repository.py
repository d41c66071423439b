"""A dataset repository on the Hub: look at it, upload files one by one, make them visible in one commit.

    look      head, visibility, files with their sha256, our list, tags
    upload    the contents of a file to the Hub's storage, unless they are there; nothing is visible yet
    commit    all additions and deletions on top of the head that was looked at: all of it or nothing

An interruption costs only the file in transfer; the next run finds the others in the storage. Chosen:
huggingface_hub's `preupload_lfs_files` and `create_commit`. `upload_folder` compares and commits whatever it
finds, and its variant for large folders makes many commits, between which readers see half a dataset.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leafinstruct.errors import PublishError
from leafinstruct.publish.plan import LIST, Local, Plan, Remote, compare, listed_in
from leafinstruct.runtime import hub

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd

KIND = "dataset"
TRIES = 4
"""Number of attempts to commit when the repository changes meanwhile or does not answer."""


@dataclass(frozen=True)
class Found:
    """State of a repository. head: commit id. listed: files of our list. tags: name -> commit. branch:
    whether the requested branch exists."""

    head: str
    private: bool
    files: dict[str, Remote] = field(default_factory=dict)
    listed: dict[str, object] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    branch: bool = True


class Repository:
    """A branch of the repository ORG/NAME. Methods raise the errors of huggingface_hub; callers translate
    them with `hub.uploading`."""

    def __init__(self, name: str, revision: str | None) -> None:
        from huggingface_hub import HfApi

        self.name = name
        self.revision = revision or "main"
        self._api = HfApi()
        self._sent: dict[str, CommitOperationAdd] = {}

    def look(self) -> Found | None:
        """The current state; None if the repository does not exist or this token cannot see it. For a branch
        that does not exist yet, the state of main, from which it will be created."""
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
        from huggingface_hub.hf_api import RepoFile

        branch = True
        try:
            info = self._api.dataset_info(self.name, revision=self.revision)
        except RepositoryNotFoundError:
            return None
        except RevisionNotFoundError:
            branch, info = False, self._api.dataset_info(self.name)
        head = str(info.sha)
        tree = self._api.list_repo_tree(self.name, recursive=True, revision=head, repo_type=KIND)
        files = {
            item.path: Remote(item.path, item.size, item.lfs.sha256 if item.lfs else None, item.blob_id)
            for item in tree
            if isinstance(item, RepoFile)
        }
        refs = self._api.list_repo_refs(self.name, repo_type=KIND)
        listed = self._list(head) if LIST in files else {}
        return Found(
            head,
            bool(info.private),
            files,
            listed,
            {tag.name: tag.target_commit for tag in refs.tags},
            branch,
        )

    def make(self, public: bool) -> None:
        """Create the repository; an existing one is not changed."""
        self._api.create_repo(self.name, repo_type=KIND, private=not public, exist_ok=True)

    def branch_off(self, head: str) -> None:
        """Create the branch."""
        self._api.create_branch(self.name, branch=self.revision, revision=head, repo_type=KIND, exist_ok=True)

    def upload(self, file: Local) -> None:
        """Upload the contents of one file, unless the storage holds them. Small files are sent with the
        commit."""
        from huggingface_hub import CommitOperationAdd

        source = str(file.path) if file.path is not None else file.data
        operation = CommitOperationAdd(path_in_repo=file.name, path_or_fileobj=source)
        operation.upload_info.sha256 = bytes.fromhex(file.sha256)
        self._api.preupload_lfs_files(
            self.name, [operation], repo_type=KIND, revision=self.revision, num_threads=1, free_memory=False
        )
        self._sent[file.name] = operation

    def commit(self, here: Sequence[Local], plan: Plan, head: str, message: str) -> str:
        """Commit everything that was uploaded. Returns the commit id.

        If the Hub refuses the commit because the repository changed, or if its answer is lost, the repository
        is looked at again before the next attempt: the commit may exist, or somebody may have written another
        file. Raises PublishError if somebody wrote one of these files.
        """
        import httpx2
        from huggingface_hub import CommitOperationDelete

        gone = [CommitOperationDelete(path_in_repo=file.name, is_folder=False) for file in plan.deleted]
        before = _state(plan)
        for attempt in range(1, TRIES + 1):
            try:
                done = self._api.create_commit(
                    self.name,
                    [*self._sent.values(), *gone],
                    commit_message=message,
                    repo_type=KIND,
                    revision=self.revision,
                    parent_commit=head,
                )
                return str(done.oid)
            except httpx2.HTTPError as error:
                code = hub.status(error)
                if attempt == TRIES or not (code is None or code in hub.MOVING or code == 429 or code >= 500):
                    raise
                time.sleep(2.0 ** (attempt - 1))
            found = self.look()
            now = compare(here, found.files, found.listed) if found else None
            if found is not None and now is not None and now.empty:
                return found.head  # the commit was made, only its answer was lost
            if found is None or now is None or _state(now) != before:
                raise PublishError(
                    f"{self.name}: somebody else changed files of this dataset during the push; check with "
                    "`leaf push --dry-run`"
                )
            head = found.head
        raise AssertionError("the last try returns or raises")

    def tag(self, name: str, commit: str) -> None:
        """Tag a commit."""
        self._api.create_tag(self.name, tag=name, revision=commit, repo_type=KIND)

    def url(self) -> str:
        return f"{self._api.endpoint}/datasets/{self.name}"

    def _list(self, head: str) -> dict[str, object]:
        from pathlib import Path

        return listed_in(
            Path(self._api.hf_hub_download(self.name, LIST, repo_type=KIND, revision=head)).read_bytes()
        )


def _state(plan: Plan) -> tuple[frozenset[str], ...]:
    """The file names of a plan by kind of change, for comparison."""
    groups = (plan.new, plan.changed, plan.same, plan.deleted)
    return (*(frozenset(file.name for file in group) for group in groups), frozenset(plan.strangers))
