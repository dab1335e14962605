"""The wiring of the house: what a task hands to the next, what begins and ends with a session.

`main` starts the tasks; each is a function here. Rooms below never meet but through this one.
"""
