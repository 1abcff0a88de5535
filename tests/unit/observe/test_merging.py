from proxy.observe.merging import merge_metrics

ONE = """# HELP a_total A.
# TYPE a_total counter
a_total{route="x"} 2.0
# HELP proxy_config_generation G.
# TYPE proxy_config_generation gauge
proxy_config_generation 3.0
"""


def test_counters_are_added_and_of_the_configuration_the_least_is_taken() -> None:
    other = ONE.replace("2.0", "5.0").replace("3.0", "1.0") + '# HELP b B.\n# TYPE b gauge\nb{c="d e"} 1.0\n'
    text = merge_metrics([ONE, other])
    assert 'a_total{route="x"} 7.0\n' in text
    assert "proxy_config_generation 1.0\n" in text
    assert 'b{c="d e"} 1.0\n' in text
    assert text.count("# TYPE a_total") == 1


def test_of_who_is_gone_only_what_was_counted_stays() -> None:
    text = merge_metrics([ONE], [ONE.replace("3.0", "0.0")])
    assert 'a_total{route="x"} 4.0\n' in text
    assert "proxy_config_generation 3.0\n" in text
