"""Ports kept in plain files of the data folder."""

from millrace.adapters.files.blobs import DirectoryBlobs
from millrace.adapters.files.secrets import FileSecrets

__all__ = ["DirectoryBlobs", "FileSecrets"]
