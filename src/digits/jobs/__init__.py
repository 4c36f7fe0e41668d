"""Work outside this process: child processes, a queue of them, and parallel workers.

In: commands or functions. Out: their outcome.
"""
