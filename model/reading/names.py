"""Names that are never scans, since systems and tools make them, and names of running transfers.

They count in the inbox, in zip archives, in folders and in uploads; only names are looked at.
"""

import re

# Folders of NAS, operating systems and version control, in small letters. Hidden ones always count.
FOLDERS = frozenset(
    {
        *("@eadir", "#recycle", "#snapshot", "@tmp", "@sharesnap"),  # Synology
        *("@recycle", "@recently-snapshot", "@transcode"),  # QNAP
        *("~snapshot", "lost+found", "__macosx"),  # NetApp, Linux, zips that macOS makes
        *("system volume information", "$recycle.bin", "recycler", "recycled"),  # Windows
        *("network trash folder", "temporary items", "thevolumesettingsfolder"),  # netatalk
    }
)
# Files beside others: thumbnails, and how a folder is shown.
FILES = frozenset({"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r"})
SIDECAR_BEGINNINGS = ("._", "~$")  # AppleDouble, a lock of an office program
SIDECAR_ENDINGS = ("@synoeastream", "@synoresource", ":zone.identifier", ".ds_store")

# How a file is named until it is whole: browsers, WinSCP, rclone, torrents, aria2, FreeFileSync.
TRANSFERS = (
    *(".part", ".partial", ".filepart", ".crdownload", ".opdownload", ".download"),
    *(".tmp", ".temp", ".!ut", ".!qb", ".!bt", ".aria2", ".ffs_tmp"),
)
TRANSFER_FOLDERS = frozenset({".~tmp~", ".rsync-partial"})  # rsync, with --delay-updates, -dir
FTP_TEMPORARY = (".in.", ".pureftpd-upload.")  # ProFTPD, Pure-FTPd
RSYNC_TEMPORARY = re.compile(r"\..+\.(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{6}")


def is_sidecar(name: str) -> bool:
    """Whether a file or a folder of this name is never looked at, hidden or not."""
    small = name.lower()
    listed = small in FOLDERS or small in FILES
    return listed or small.startswith(SIDECAR_BEGINNINGS) or small.endswith(SIDECAR_ENDINGS)


def is_transfer(name: str) -> bool:
    """Whether a file of this name is still being copied: it will be renamed when it is whole."""
    if is_sidecar(name):
        return False
    hidden = name.startswith(FTP_TEMPORARY) or RSYNC_TEMPORARY.fullmatch(name) is not None
    return hidden or name.lower().endswith(TRANSFERS)


def is_transfer_folder(name: str) -> bool:
    """Whether all files in a folder of this name are still being copied."""
    visible = not name.startswith(".") and name.lower().endswith(TRANSFERS)
    return name in TRANSFER_FOLDERS or visible


def is_left_out(path: str) -> bool:
    """Whether a file is never looked at because of its own name or that of a folder above it.

    path: with slashes, from where somebody looks.
    """
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    hidden = any(part.startswith(".") for part in parts)
    return any(is_sidecar(part) for part in parts) or (hidden and not is_in_transfer(path))


def is_in_transfer(path: str) -> bool:
    """Whether a file is still being copied, by its own name or that of a folder above it."""
    *folders, name = path.split("/")
    return is_transfer(name) or any(is_transfer_folder(folder) for folder in folders)
