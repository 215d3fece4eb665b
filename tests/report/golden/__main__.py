"""Write the golden report anew: `make golden`. Read its diff before it is committed."""

from pathlib import Path

from assessments import full_assessment

from ladder.report.markdown import as_markdown

Path(__file__).with_name("report.md").write_text(as_markdown(full_assessment()), encoding="utf-8")
