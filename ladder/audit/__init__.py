"""Evidence for somebody who does not trust the team: what was promised, and that nothing changed.

Digests alone are written here: no row, no answer, no name of a person.
"""
