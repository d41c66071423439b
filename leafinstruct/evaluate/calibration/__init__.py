"""`leaf calibrate`: compare the scores and rules of a run with people's verdicts, and suggest bounds."""
