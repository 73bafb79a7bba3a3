# On-policy supervised fine-tuning as a sweep of file-dependency nodes. See README.md.
from snakemake.utils import min_version

min_version("9.20")


configfile: workflow.current_basedir.join("config.yaml").get_path_or_uri(secret_free=True)


include: "workflow/rules/common.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/generate.smk"
include: "workflow/rules/verify.smk"
include: "workflow/rules/filter.smk"
include: "workflow/rules/stop.smk"
include: "workflow/rules/sft.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/track.smk"
include: "workflow/rules/tools.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        figures=rules.figures.output,
        tables=rules.summary.output,
        comparisons=rules.compare.output,
        timings=rules.timings.output,
        tracked=PLAN.tracked(),
        page=rules.page.output,
    localrule: True
