"""How a FLAIR series is told: words and numbers, apart from pydicom, which settings need not."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FlairRules:
    """How a FLAIR series is told; the values of settings.toml, [model].

    flair_names, other_names, never_names, contrast_names: words of a description in small
    letters, blanks for all signs between them; a star at the end stands for any ending.
    never_names: of what has a FLAIR's numbers and is none. inversion_ms: lowest and highest
    inversion time that nulls fluid; shortest_echo_ms: of a T2-weighted picture.
    """

    flair_names: tuple[str, ...] = (
        *("flair*", "t2flair*", "dark fluid", "darkfluid", "da fl", "tirm", "irtse long", "压水"),
        *("抑水", "フレア"),
    )
    other_names: tuple[str, ...] = (
        *("t1*", "t2", "t2w", "pd", "pdw", "dp", "mprage", "mp2rage", "bravo", "tfl"),
        *("dwi*", "diff*", "difus*", "adc*", "trace*", "dti*", "epi", "bold", "fmri", "swi*"),
        *("swan", "gre", "hemo", "tof*", "mra", "angio*", "asl", "perf*", "dsc", "stir", "subtr*"),
        *("spectro*", "locali*", "localizador*", "loc", "lokal*", "reperage*", "scout*"),
        *("survey*", "ubersicht*", "topogram*", "plan scan", "3plane*", "calib*", "asset*"),
    )
    never_names: tuple[str, ...] = ("dir", "double ir", "double inv*", "psir", "t1*")
    contrast_names: tuple[str, ...] = (
        *("gd", "gad*", "post", "km", "contrast*", "kontrast*", "c", "ce", "injecte", "mdc"),
    )
    inversion_ms: tuple[float, float] = (1400.0, 3200.0)
    shortest_echo_ms: float = 60.0


RULES = FlairRules()
