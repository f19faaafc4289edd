"""Amazon Beauty (2014): 22,363 users, 12,101 items. `python -m benchmarks.recommend_beauty --source DIR --cache DIR`.

A CPU-sized run: the networks have minutes, not the hours that the printed figures took; `--minutes` gives them more.
"""

from benchmarks.recommend_arms import main
from benchmarks.recommend_generator import Net
from benchmarks.recommend_plan import DEPLOYED, Plan
from jobs.recommend.settings import Recommend

NAME, DEPLOYED_ARM = "recommend_beauty", "lazy" + DEPLOYED
NETS = {"lazy": Net(minutes=25.0, neighbours=Recommend.neighbours), "ids: rqvae": Net("rqvae", minutes=15.0)}
REPORTED = {
    "HR@10 above 7.47, counts as published": (DEPLOYED_ARM, "hr10", 7.47),
    "HR@10 above 8.09, RPG": (DEPLOYED_ARM, "hr10", 8.09),
    "NDCG@10 above 4.64, RPG": (DEPLOYED_ARM, "ndcg10", 4.64),
    "HR@10 above 9.27": (DEPLOYED_ARM, "hr10", 9.27),
    "NDCG@10 above 5.47": (DEPLOYED_ARM, "ndcg10", 5.47),
    "with no other's help HR@10 above 6.48, TIGER as printed": ("lazy", "hr10", 6.48),
}
PLAN = Plan(NETS, REPORTED)

if __name__ == "__main__":
    main(NAME, PLAN, __doc__)
