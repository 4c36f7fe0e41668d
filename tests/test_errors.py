"""What a user sees of an error: a line that can be printed, whatever a file made it quote."""

import pytest

from digits import errors


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("no folder or file a", "no folder or file a"),
        ("two\n  lines\t", "two lines"),
        ("\x1b]0;title\x07\u202etxt", r"\x1b]0;title\x07\u202etxt"),
        ("x" * 1000, "x" * 1000),
        ("x" * 600 + "y" * 9000 + "z" * 500, "x" * 497 + " … " + "z" * 500),
    ],
)
def test_an_error_is_one_line_and_status_2(message, shown, capsys):
    with pytest.raises(SystemExit, match="2"), errors.one_line_errors():
        raise ValueError(message)
    assert capsys.readouterr().err == f"error: {shown}\n"
