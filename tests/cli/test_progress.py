"""Progress bars are drawn only on a terminal; a long benchmark says a line now and then."""

from graphlift.cli.progress import bench_bar, frames_bar


def test_the_bar_is_silent_where_nobody_looks(capsys):
    with frames_bar("clip.mp4") as show:
        show(1, None)
        show(2, 3)

    assert capsys.readouterr() == ("", "")


def test_a_long_benchmark_says_how_far_it_is_where_there_is_no_terminal(capsys):
    with bench_bar(every=0) as show:
        show(120.0, 1440.0, "semgcn, batch 64")
        show(1440.0, 1440.0, "")

    said = "graphlift: 2 of about 24 min are measured; next: semgcn, batch 64\n"
    assert capsys.readouterr() == ("", said)


def test_a_short_benchmark_says_nothing(capsys):
    with bench_bar() as show:
        show(1.0, 2.0, "semgcn, batch 64")

    assert capsys.readouterr() == ("", "")
