"""Amazon Scientific: 8,317 users, 4,344 items. `python -m benchmarks.recommend_scientific --source DIR --cache DIR`.

An hour and a half of one core: every generator has a budget of CPU minutes, and it is told where one was cut.
"""

from benchmarks.recommend_arms import main
from benchmarks.recommend_generator import Net
from benchmarks.recommend_plan import DEPLOYED, UNMASKED, Plan
from jobs.recommend.settings import Recommend

NAME, DEPLOYED_ARM = "recommend_scientific", "lazy" + DEPLOYED
NETS = {
    "lazy": Net(neighbours=Recommend.neighbours),
    "lazy, answers alone": Net(),
    "ids: rqvae": Net("rqvae"),
    "ids: random": Net("random"),
    "ids: rqvae_zcr (published)": Net("rqvae_zcr"),
    "ids: category": Net("category"),
    "ids: sequential": Net("sequential"),
    "ids: spectral": Net("spectral"),
    "causal": Net(model="causal", epochs=30),
    "causal, titles too": Net(model="causal", epochs=12, is_mixed=True),
    "t5": Net(model="t5", epochs=8, minutes=12.0),
}
REPORTED = {
    "HR@10 above 10.40, counts as published": (DEPLOYED_ARM, "hr10", 10.40),
    "NDCG@10 above 7.73, counts as published": (DEPLOYED_ARM, "ndcg10", 7.73),
    "HR@10 above 8.12, T5 on published IDs, clearly": (DEPLOYED_ARM, "hr10, whole interval", 8.12),
    "without masking HR@10 above 10.40": ("lazy" + UNMASKED, "hr10", 10.40),
    "without masking NDCG@10 above 7.73": ("lazy" + UNMASKED, "ndcg10", 7.73),
    "with no other's help HR@10 above 8.12, clearly": ("lazy", "hr10, whole interval", 8.12),
}
PLAN = Plan(NETS, REPORTED)

if __name__ == "__main__":
    main(NAME, PLAN, __doc__)
