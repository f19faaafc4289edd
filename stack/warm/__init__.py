"""Warm Spark: jobs that start in a tenth of a second, for the embedded stack only.

`bin/spark-submit` stands before the real one on the scheduler's PATH, reads the same command line (client.py, submit.py)
and hands the job to a server (server.py) that has imported the heavy libraries already and forks a process per job
(job.py). The job gets its session from one long-lived Spark Connect server. Where there is no such server, or the job is
for a cluster, the real spark-submit runs instead: the DAG is the same everywhere.
"""
