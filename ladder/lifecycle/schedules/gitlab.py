"""A job of GitLab CI, and the call that makes its schedule: that cannot stand in the file."""

from __future__ import annotations

import json

from ladder.lifecycle.schedules.github import keep_command, said_untrusted, settings_command
from ladder.lifecycle.schedules.job import (
    COMMITTED,
    LIMIT_HOURS,
    MACHINE_KEY,
    WEEKLY,
    Files,
    Job,
    refuse_breaks,
    said_ledger,
    said_nearby,
    said_no_repository,
    words_in_repository,
)

IMAGE = "python:3.11"
PUSH = (
    'git push "https://gitlab-ci-token:$CI_JOB_TOKEN@$CI_SERVER_HOST/$CI_PROJECT_PATH.git" '
    '"HEAD:$CI_COMMIT_REF_NAME"'
)
END = "\n"
NEARBY = "put them into the image, or use a runner of yours."


def as_gitlab(job: Job) -> Files:
    """Return the job; it commits the record of checks, which says when the next is due."""
    refuse_breaks(job.image)
    install = [f"pip install {json.dumps(job.package)}", *job.needs.installs]
    check = f"code=0; {words_in_repository(job)} || code=$?"
    keep = f'{keep_command(job, PUSH)}; exit "$code"'
    script = [*install, *settings_command(job.needs), check, keep]
    text = f"""\
# Save as {job.title}.gitlab-ci.yml and include it from .gitlab-ci.yml; commit {COMMITTED}
{said_no_repository(job)}\
{said_ledger(job, f"as the variable {MACHINE_KEY} of the type File")}\
# Its schedule is made once, by a call with a token of the scope `api`:
#   curl --fail --request POST --header "PRIVATE-TOKEN: $TOKEN" \\
#     --form "description={job.title}" --form "ref=main" --form "active=true" \\
#     --form "cron={WEEKLY}" --form "cron_timezone={job.zone}" \\
#     "https://$GITLAB/api/v4/projects/$PROJECT_ID/pipeline_schedules"
# The record of checks is committed: allow "Git push requests to the repository" for job tokens
# (Settings, CI/CD, Job token permissions); a push with that token starts no pipeline.
{_variables(job)}\
{said_untrusted(job.needs)}\
{said_nearby(job.needs, "A runner may not have", NEARBY)}\
{job.title}:
  image: {json.dumps(job.image or IMAGE, ensure_ascii=False)}
  rules:
    - if: $CI_PIPELINE_SOURCE == "schedule"
  resource_group: {job.title}
  timeout: {LIMIT_HOURS} hours
  script:
{"".join(f"    - {json.dumps(line, ensure_ascii=False)}{END}" for line in script)}"""
    return {f"{job.title}.gitlab-ci.yml": text}


def _variables(job: Job) -> str:
    names = ", ".join((*job.variables, *job.needs.handed_on))
    where = "as masked variables (Settings, CI/CD, Variables)"
    return f"# Needs, {where}: {names}\n" if names else ""
