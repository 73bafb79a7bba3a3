# On-policy supervised fine-tuning as a sweep of file-dependency nodes. See README.md.
from snakemake.utils import min_version

min_version("9.20")


include: "workflow/rules/configuration.smk"


configfile: workflow.current_basedir.join("config.yaml").get_path_or_uri(secret_free=True)


include: "workflow/rules/plan.smk"
include: "workflow/rules/process.smk"
include: "workflow/rules/wildcards.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/commands.smk"
include: "workflow/rules/hooks.smk"
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
        # One by one: of a list, Snakemake looks at every file for every file.
        *PLAN.every_result(),
        figures=rules.figures.output,
        tables=rules.summary.output,
        comparisons=rules.compare.output,
        timings=rules.timings.output,
        page=rules.page.output,
    localrule: True
