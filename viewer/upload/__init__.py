"""The upload page: files held beside the inbox, shown in words, sent, and followed."""
