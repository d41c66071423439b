"""What flows through the pipeline: documents, examples, and the tables that hold them."""
