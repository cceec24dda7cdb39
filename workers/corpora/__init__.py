"""Searching corpora: features of documents, an index of these in memory, and the retriever."""
