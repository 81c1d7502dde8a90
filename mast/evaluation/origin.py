"""Origin of features and metrics."""

from collections.abc import Mapping
from pathlib import Path

from mast.commit import code_version
from mast.data.prepared.store import PreparedData
from mast.files import sha256_file
from mast.records import EncoderMetadata, Origin, RunRecord
from mast.results import RunFiles


def origin_of(encoder_file: Path, metadata: Mapping[str, str], task: PreparedData) -> Origin:
    """Return the origin of features or metrics: the encoder (its file's `metadata` and hash) and the task.

    The versions of the code are the one in the record next to the encoder, if there is one, and the running one.

    Raises:
        MastError: the metadata are not those of an encoder, or the record next to it is damaged.
    """
    encoder, record = EncoderMetadata.of(dict(metadata), str(encoder_file)), RunFiles(encoder_file.parent).record
    trained_by = RunRecord.read(record).commit if record.exists() else code_version()
    return Origin(
        **encoder.model_dump(),
        encoder_sha256=sha256_file(encoder_file),
        task=task.name,
        task_sha256=task.sha256,
        commits=sorted({trained_by, code_version()}),
    )
