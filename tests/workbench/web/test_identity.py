from pathlib import Path

from workbench.accounts import Account
from workbench.project import Project, init_project
from workbench.web.identity import cookie_name, make_cookie, signed_in


def test_two_projects_on_one_host_keep_their_sign_ins_apart(
    project: Project, lead: Account, tmp_path: Path
) -> None:
    other = init_project(tmp_path / "other")
    cookies = {cookie_name(project): make_cookie(project, lead), cookie_name(other): "of the other project"}
    assert len(cookies) == 2
    visitor = signed_in(project, cookies)
    assert visitor is not None
    assert visitor.account == lead
    assert signed_in(other, cookies) is None
