"""Finding personal data by rules: patterns, check digits, numbering plans and cues."""
