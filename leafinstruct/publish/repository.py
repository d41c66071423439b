"""A dataset's repository on the Hub: what is there, one file after another to its storage, and one commit
that makes all of them visible.

    look      head, visibility, files with their sha256, our list, tags
    upload    a file's contents to the Hub's storage: nothing is to be seen yet, and what the storage holds already is not sent again
    commit    names of files -> contents, deletions with them, on top of the head that was looked at: all of it or nothing

So a cut costs the file that was under way; the next run finds the others in the storage. Chosen:
huggingface_hub's `preupload_lfs_files` and `create_commit`. `upload_folder` compares by its own lights and
commits what it finds; its version for large folders made many commits, between which a reader would have seen
half a dataset.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from leafinstruct.errors import PublishError
from leafinstruct.publish.plan import LIST, Local, Plan, Remote, compare, listed_in
from leafinstruct.runtime import hub

KIND = "dataset"
TRIES = 4
"""Commits that are tried when the repository moves on meanwhile, or does not answer."""


@dataclass(frozen=True)
class Found:
    """What is there. head: commit id; listed: files of our list; tags: name -> commit; branch: whether the
    asked revision is there already."""

    head: str
    private: bool
    files: dict[str, Remote] = field(default_factory=dict)
    listed: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    branch: bool = True


class Repository:
    """ORG/NAME, and a branch of it. Methods raise what huggingface_hub raises: callers speak within
    `hub.speaking`."""

    def __init__(self, name: str, revision: str | None) -> None:
        from huggingface_hub import HfApi

        self.name = name
        self.revision = revision or "main"
        self._api = HfApi()
        self._sent: dict[str, Any] = {}

    def look(self) -> Found | None:
        """What is there now; None where there is no such repository, or none that this token may see. A
        branch that is not there yet is looked at as what it will be made from, main."""
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
        """Make the repository, private unless said otherwise; one that is there stays as it is."""
        self._api.create_repo(self.name, repo_type=KIND, private=not public, exist_ok=True)

    def branch_off(self, head: str) -> None:
        """Make the branch."""
        self._api.create_branch(self.name, branch=self.revision, revision=head, repo_type=KIND, exist_ok=True)

    def upload(self, file: Local) -> None:
        """Send one file's contents to the storage, unless they are there; small files travel with the commit
        instead."""
        from huggingface_hub import CommitOperationAdd

        source = str(file.path) if file.path is not None else file.data
        operation = CommitOperationAdd(path_in_repo=file.name, path_or_fileobj=source)
        operation.upload_info.sha256 = bytes.fromhex(file.sha256)
        self._api.preupload_lfs_files(
            self.name, [operation], repo_type=KIND, revision=self.revision, num_threads=1, free_memory=False
        )
        self._sent[file.name] = operation

    def commit(self, here: Sequence[Local], plan: Plan, head: str, message: str) -> str:
        """One commit of everything that was uploaded. Returns its id.

        A commit that the Hub refuses because the repository moved on, or whose answer does not come, is tried
        again after looking: it may have been made, somebody may have written another file. Raises
        PublishError when somebody wrote one of these files.
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
                    f"{self.name}: somebody else changed files of this dataset during the push; run "
                    "`leaf push --dry-run` and look"
                )
            head = found.head
        raise AssertionError("the last try returns or raises")

    def tag(self, name: str, commit: str) -> None:
        """Name a commit."""
        self._api.create_tag(self.name, tag=name, revision=commit, repo_type=KIND)

    def url(self) -> str:
        return f"{self._api.endpoint}/datasets/{self.name}"

    def _list(self, head: str) -> dict[str, Any]:
        from pathlib import Path

        return listed_in(
            Path(self._api.hf_hub_download(self.name, LIST, repo_type=KIND, revision=head)).read_bytes()
        )


def _state(plan: Plan) -> tuple[frozenset[str], ...]:
    """What a plan does to which files."""
    groups = (plan.new, plan.changed, plan.same, plan.deleted)
    return (*(frozenset(file.name for file in group) for group in groups), frozenset(plan.strangers))
