"""Statements: what an elementwise op is in the source of a kernel."""

from __future__ import annotations

import math

from scg.ir.expr import Expr

#: What an elementwise op of floats is in a kernel, and of others where they say nothing else.
#: {0}, {1} ... are its arguments, {code} the type of its result, {zero} and {one} of that type; an
#: attribute of the op stands by its name. Functions without {code} compute in double precision.
FLOATS = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "square": "{0} * {0}",
    "power": "{0} ** {1}",
    "exp": "exp_{code}({0})",
    "expm1": "expm1_{code}({0})",
    "log": "log_{code}({0})",
    "log1p": "log1p_{code}({0})",
    "log_of_sum": "log_{code}({0})",
    "log_or_zero": "({zero} if {0} == {zero} else log_{code}({0}))",
    "inverse_or_zero": "({zero} if {0} == {zero} else {one} / {0})",
    "sqrt": "sqrt({0})",
    "tanh": "tanh_{code}({0})",
    "sech_squared": "{code}(4) * sigmoid_{code}({0} + {0}) * sigmoid_{code}(-{0} - {0})",
    "sigmoid": "sigmoid_{code}({0})",
    "softplus": "softplus_{code}({0})",
    "exp2": "exp2({0})",
    "log2": "log2({0})",
    "log10": "log10({0})",
    "sin": "sin({0})",
    "cos": "cos({0})",
    "tan": "tan({0})",
    "arctan": "arctan({0})",
    "sinh": "sinh({0})",
    "cosh": "cosh({0})",
    "floor": "floor({0})",
    "ceil": "ceil({0})",
    "rint": "rint({0})",
    "sign": "({one} if {0} > {zero} else (-{one} if {0} < {zero} else {0}))",
    "abs": "abs({0})",
    "relu": "({0} if ({0} > {zero} or {0} != {0}) else {zero})",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "logical_and": "{0} & {1}",
    "logical_or": "{0} | {1}",
    "logical_not": "not {0}",
    "where": "({1} if {0} else {2})",
    "minimum": "({0} if ({0} < {1} or {0} != {0}) else {1})",
    "maximum": "({0} if ({0} > {1} or {0} != {0}) else {1})",
    "xlogy": "{0} * log_{code}({one} if {0} == {zero} else {1})",
    "xlog1py": "{0} * log1p_{code}({zero} if {0} == {zero} else {1})",
    "absorb": "({zero} if {0} == {zero} else {0} * {1})",
    "quotient": "({zero} if ({0} == {zero} or {1} == {zero}) else {0} * {1} / {2})",
    "possible": "({zero} if ({2} == {zero} and {1} - {1} != {zero}) else {0})",
    "binomial_probability": "({zero} if ({1} < {zero} or {1} > {n}) else exp_{code}({0}))",
    "float": "{0}",
    "copy": "{0}",
    "graft": "{0}",
    "direction": "({zero} if {0} == {zero} else {0} / {1})",
    "within": (
        "({4} if ({0} < {1}) | ({0} > {2}) | (not {closed}) & (({0} == {1}) | ({0} == {2}))"
        " | (abs({0}) == {code}(inf)) else {3})"
    ),
    "open_unit": "open_unit_{code}({0})",
    "open_positive": "open_positive_{code}({0})",
    "open_exp": "open_positive_{code}(exp_{code}({0}))",
    "open_sigmoid": "open_unit_{code}(sigmoid_{code}({0}))",
    "ndtri": "ndtri_{code}({0})",
    "erfinv": "erfinv_{code}({0})",
    "gammaln": "{code}(gammaln(f8({0})))",
    "digamma": "{code}(psi(f8({0})))",
    "polygamma": "{code}(polygamma(f8({0}), {order}))",
    "stirling": "{code}(stirling(f8({0}), {order}))",
    "gammainc": "{code}(gammainc(f8({0}), f8({1})))",
    "gammainc_da": "{code}(gammainc_da(f8({0}), f8({1}), {order}))",
    "gammaincinv": "{code}(gammaincinv(f8({0}), f8({1})))",
    "gamma_implicit": "{code}(gamma_implicit(f8({0}), f8({1}), {order}))",
    "log_gammainccinv": "{code}(log_gammainccinv(f8({0}), f8({1})))",
    "log_gammaincinv": "{code}(log_gammaincinv(f8({0}), f8({1})))",
    "log_ratio": "{code}(log_ratio(f8({0}), f8({1})))",
    "relative_entropy": "{code}(relative_entropy(f8({0}), f8({1})))",
    "log_over_gamma_mean": "{code}(log_over_gamma_mean(f8({0}), f8({1}), f8({2}), {reciprocal}))",
    "gamma_core": "{code}(gamma_core(f8({0}), f8({1}), f8({2}), {reciprocal}))",
    "gamma_slope": "{code}(gamma_slope(f8({0}), f8({1}), f8({2}), {reciprocal}))",
    "log_over_mean": "{code}(log_over_mean(f8({0}), f8({1}), f8({2}), {logit}))",
    "log_rest_over_mean": "{code}(log_rest_over_mean(f8({0}), f8({1}), f8({2}), {logit}))",
    "beta_core": "{code}(beta_core(f8({0}), f8({1}), f8({2}), {logit}))",
    "beta_slope": "{code}(beta_slope(f8({0}), f8({1}), f8({2}), {logit}))",
    "beta_implicit": "{code}(beta_implicit(f8({0}), f8({1}), f8({2}), {order[0]}, {order[1]}))",
    "logit_betaincinv": "{code}(logit_betaincinv(f8({0}), f8({1}), f8({2})))",
    "erf": "{code}(erf(f8({0})))",
    "erfc": "{code}(erfc(f8({0})))",
    "ndtr": "{code}(ndtr(f8({0})))",
    "log_ndtr": "{code}(log_ndtr(f8({0})))",
    "normal_hazard": (
        f"{{code}}({math.sqrt(2.0 / math.pi)} / erfcx(-f8({{0}}) / {math.sqrt(2.0)}))"
    ),
    "i0e": "{code}(i0e(f8({0})))",
    "i1e": "{code}(i1e(f8({0})))",
    "log_i0e": "{code}(log_i0e(f8({0}), {order}))",
    "von_mises_cdf": "{code}(von_mises_cdf(f8({0}), f8({1}), {order}))",
    "von_mises_quantile": "{code}(von_mises_quantile(f8({0}), f8({1})))",
    "von_mises_variance": "{code}(von_mises_variance(f8({0}), {order}))",
    "poisson_quantile": "{code}(poisson_quantile(f8({0}), f8({1})))",
    "binomial_quantile": "{code}(binomial_quantile(f8({0}), f8({1}), f8({2})))",
    "negative_binomial_quantile": "{code}(negative_binomial_quantile(f8({0}), f8({1}), f8({2})))",
}
INTEGERS = FLOATS | {
    **dict.fromkeys(("floor", "ceil", "rint"), "{0}"),
    "within": "({4} if ({0} < {1}) | ({0} > {2}) else {3})",
}
BOOLEANS = FLOATS | {
    "add": "{0} | {1}",
    "multiply": "{0} & {1}",
    "maximum": "{0} | {1}",
    "minimum": "{0} & {1}",
    "abs": "{0}",
}
STATEMENTS = {"float": FLOATS, "int": INTEGERS, "bool": BOOLEANS}


def fusible(expr: Expr) -> bool:
    """Whether an op is elementwise and has a statement."""
    return expr.op.elementwise and expr.op.name in STATEMENTS[expr.kind]
