#!/bin/sh
# What must be there before Airflow's services start: the schema of its database, and the pools that the DAGs name.
set -eu
airflow db migrate
airflow pools set spark 2 "Spark jobs at a time"
airflow pools set embedding 1 "encoders at a time"
airflow pools set training 1 "trainings at a time"
airflow pools set ids 1 "semantic IDs are given in order"
airflow pools set teacher 1 "extractions at a time: the budget is a run's"
airflow pools set vocabulary 1 "the vocabulary grows in order"
