"""Papers and bundles: PDFs, their time stamps, the files that prove a tender."""
