"""An adapter to the Hugging Face Hub: its folder in one commit, so that a failed upload leaves nothing half there and can be run again.

The token is the Hub's own (`hf auth login`, HF_TOKEN); it is neither read nor shown here. Private unless asked otherwise, and never into a
repository that others can see unless that was asked for.
"""

from __future__ import annotations

from pathlib import Path

from leafinstruct.errors import TrainError

FILES = ("adapter_config.json", "adapter_model.safetensors", "README.md")


def push(folder: Path, repo: str, public: bool) -> str:
    """Upload an adapter's folder to ORG/NAME. Returns its address. Raises TrainError, in one line."""
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    hub, loud = HfApi(), not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        hub.create_repo(repo, private=not public, exist_ok=True)
        if not public and not hub.model_info(repo).private:
            raise TrainError(
                f"--push-to {repo}: is there already and everybody can see it; say --public if that is meant, or give another name"
            )
        done = hub.upload_folder(repo_id=repo, folder_path=str(folder), allow_patterns=list(FILES), commit_message="Upload adapter")
    except (httpx2.HTTPError, HFValidationError, OSError, ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise TrainError(
            f"--push-to {repo}: the Hub did not take it: {said}; the adapter is kept in {folder}, run the same command again"
        ) from error
    finally:
        if loud:
            enable_progress_bars()
    return str(done.repo_url)
