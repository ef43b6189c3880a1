"""Where the paper is quoted with another form: the two differ, at numbers that are computed."""

import pytest
import sympy as sp

from derivations import export, pages
from derivations.errata import errata
from derivations.proof import DerivationError
from derivations.statements import names

ERRATA = errata()


@pytest.mark.parametrize("erratum", ERRATA, ids=[f"{n}" for n in range(1, len(ERRATA) + 1)])
def test_the_two_forms_differ_and_the_derived_one_is_smaller(erratum):
    paper, derived = erratum.exponents()
    assert abs(paper) > abs(derived) + 0.04
    step, found = 1 + sp.Rational(1, 10**6), []
    for form in (erratum.paper, erratum.derived):  # the same by numbers: from the witness to a little beyond it
        here, there = (
            form.subs({**erratum.at, erratum.variable: erratum.at[erratum.variable] * factor}) for factor in (1, step)
        )
        found.append(float(sp.N(sp.log(sp.simplify(there / here)) / sp.log(step), 30)))
    assert found == [pytest.approx(float(paper), rel=1e-5), pytest.approx(float(derived), rel=1e-5)]


def test_the_bound_for_latents_of_unlike_size_is_not_what_is_derived():
    assert ERRATA[0].exponents() == (pytest.approx(5.4), pytest.approx(0.3))


@pytest.mark.parametrize("erratum", ERRATA)
def test_every_erratum_names_results(erratum):
    assert set(erratum.results) <= set(names())


@pytest.mark.parametrize("erratum", ERRATA)
def test_forms_that_agree_are_no_erratum(erratum):
    with pytest.raises(DerivationError, match=f"erratum “{erratum.title}”: both forms have the exponent"):
        erratum._replace(paper=7 * erratum.derived).exponents()


@pytest.mark.parametrize("form", [pages.markdown, pages.latex_document, pages.html])
def test_every_form_of_the_document_shows_both_forms_and_their_numbers(form):
    text = form(list(export.corrections(names())))
    for erratum in ERRATA:
        paper, derived = map(abs, erratum.exponents())  # signs have a form of their own in each
        assert f"{paper:.4g} in the first and " in text
        assert f"{derived:.4g} in the second, at P = 1000000, " in text
