"""Rewrites public_schema.txt, the golden schema of the published row. Run it only together with a new SCHEMA_VERSION:

python tests/records/regenerate.py
"""

from pathlib import Path

from leafinstruct.records import public

Path(__file__).with_name("public_schema.txt").write_text(public.schema().to_string(show_schema_metadata=False) + "\n", encoding="utf-8")
