"""Progress bars are drawn only on a terminal."""

from graphlift.cli.progress import frames_bar


def test_the_bar_is_silent_where_nobody_looks(capsys):
    with frames_bar("clip.mp4") as show:
        show(1, None)
        show(2, 3)

    assert capsys.readouterr() == ("", "")
