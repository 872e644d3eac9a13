"""Other machines that analyze: the one that hands out, what runs on the others, and their account.

One function goes far, `worker_tasks.analyze_parcel`; queue, ledger and publishing stay here. Only
`dask_cluster` knows dask.distributed, which is loaded where such machines are asked for and nowhere
else.
"""
