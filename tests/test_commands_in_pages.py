"""Commands are found wherever they stand in a page: in blocks, in backticks, in comments, in recipes."""

import pytest
from support.pages import commands_of, strangers


@pytest.mark.parametrize(
    ("text", "suffix", "found"),
    [
        ("```\nmake demo && cd here  # why\ncp a \\\n  b > c\n```", ".md", ["make demo", "cd here", "cp a b"]),
        ("```bash\n$ strange --option\n```", ".md", ["strange --option"]),
        ("```yaml\n# as in: mast doctor CONFIG\nmake: all\n```", ".md", ["mast doctor CONFIG"]),
        ("```\nmast.embed('photos')\n```", ".md", []),
        ("| to | `rm -r a && mast verify\nresults` |", ".md", ["rm -r a", "mast verify results"]),
        ("`mast`, `mast <command>` and `mast verify` make it so", ".md", ["mast verify"]),
        (
            "# Expect   snakemake all -n\n#   snakemake b \\\n#     --configfile c\na: b",
            ".yaml",
            ["snakemake all -n", "snakemake b --configfile c"],
        ),
        ("# make demo   installs\nx:\n\t$(RUN) mast schema > y", "", ["make demo", "mast schema"]),
    ],
)
def test_commands_are_found_wherever_they_stand(text: str, suffix: str, found: list[str]) -> None:
    assert list(commands_of(text, suffix)) == found


def test_a_block_of_an_unknown_language_is_refused() -> None:
    with pytest.raises(AssertionError, match="fish"):
        list(commands_of("```fish\nmake demo\n```", ".md"))


def test_a_program_that_is_not_known_is_noticed() -> None:
    assert strangers("`docker run --rm x`, `mast verify --help` and `a -> b`") == ["docker run --rm x"]
