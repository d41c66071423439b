"""`leaf audit`: let people judge the decisions of filter, and count how often they agree."""
