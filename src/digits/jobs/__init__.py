"""Work outside this process: child processes, a queue that runs them one at a time, and parallel workers.

In: the arguments of a Python process, or functions for joblib. Out: how each ended, and why if it failed.
"""
