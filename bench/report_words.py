"""What a report says, in English and Chinese, and how it looks."""

from collections.abc import Mapping
from typing import Final

from bench.plots import Title

STYLE: Final = """
:root { color-scheme: light dark; --faint: #8884; }
body { font: 15px/1.55 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif;
  margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
#zh:checked ~ main .en, #en:checked ~ main .zh { display: none; }
input[name=language] { margin-left: 1rem; }
h2 { border-top: 2px solid var(--faint); padding-top: 1rem; margin-top: 2.5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--faint); padding: .3rem .6rem; text-align: right; vertical-align: top;
  white-space: nowrap; }
th, th:first-child, td:first-child { white-space: normal; }
th:first-child, td:first-child { text-align: left; }
table.surroundings td, table.rest td { text-align: left; white-space: normal; }
figure { margin: 1rem 0; }
svg { width: 100%; height: auto; }
svg text { font-size: 13px; fill: currentColor; }
svg .grid { stroke: var(--faint); }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; padding: 0 0 0 4rem; margin: 0; }
.legend i { display: inline-block; width: .9rem; height: .9rem; margin-right: .4rem; vertical-align: -.1rem; }
.busy { border: 2px solid #d55e00; padding: .6rem 1rem; }
"""

BUSY: Final = Title(
    "The machine had other work before the start. These figures are no basis for a comparison; measure again.",
    "开始测量之前机器上已有其他负载。这些数字不能作为比较的依据，请重新测量。",
)
HEADINGS: Final[Mapping[str, Title]] = {
    "report": Title("Filament: what was measured", "Filament 测量报告"),
    "figures": Title("Figures", "指标"),
    "absent": Title("Not here, and why", "未能取得的对手及原因"),
    "runs": Title("Measurements", "各项测量"),
    "rest": Title("As the program kept it", "程序保存的其他数据"),
    "surroundings": Title("Where it was measured", "测量环境"),
    "throughput": Title("Throughput against latency", "吞吐量与时延"),
    "percentiles": Title("Latency by percentile", "时延百分位"),
    "hit ratio": Title("Cache hit ratio over time", "缓存命中率随时间变化"),
    "memory": Title("Memory over time", "内存随时间变化"),
    "answers": Title("Answers over time", "应答数随时间变化"),
}
NOTES: Final[Mapping[str, Title]] = {
    "throughput": Title(
        "A point for each measurement: identifiers a second, and the time within which 99 of 100 answers came. "
        "To the right and below is better.",
        "每次测量一个点：每秒标识数，以及 99% 的应答所用时间。越靠右下越好。",
    ),
    "percentiles": Title(
        "All rounds of a measurement together; the right end is the slowest answers.",
        "同一测量的各轮合并；右端为最慢的应答。",
    ),
    "hit ratio": Title("Of the last round.", "取最后一轮。"),
    "memory": Title(
        "Resident memory of the server's processes, of the last round.", "服务器进程的常驻内存，取最后一轮。"
    ),
    "answers": Title("Identifiers answered in each second, of the last round.", "每秒解析的标识数，取最后一轮。"),
}
PLOTS: Final[Mapping[str, Title]] = {
    "rate": Title("identifiers a second", "每秒标识数"),
    "latency": Title("time to the answer", "应答时间"),
    "share": Title("percentile", "百分位"),
    "seconds": Title("seconds", "秒"),
    "hit ratio": Title("answers that were kept", "缓存命中率"),
    "memory": Title("MiB", "MiB"),
}
COLUMNS: Final[Mapping[str, tuple[Title, ...]]] = {
    "figures": (
        Title("figure", "指标"),
        Title("median", "中位数"),
        Title("least – greatest", "最小 – 最大"),
        Title("bar", "达标线"),
        Title("stretch", "挑战线"),
        Title("verdict", "结论"),
        Title("per CPU second", "按 CPU 秒计"),
    ),
    "runs": (
        Title("measurement", "测量"),
        Title("identifiers a second, median", "每秒标识数（中位数）"),
        Title("least – greatest", "最小 – 最大"),
        Title("per second of the server's CPU", "每 CPU 秒"),
        Title("p50"),
        Title("p99"),
        Title("p99.9"),
        Title("wrong", "错误"),
        Title("lost", "丢失"),
    ),
    "rest": (Title("what", "项目"), Title("value", "数值")),
    "surroundings": (Title("what", "项目"), Title("value", "内容")),
}
VERDICTS: Final[Mapping[str, Title]] = {
    "stretch": Title("stretch reached", "达到挑战线"),
    "bar": Title("bar reached", "达标"),
    "missed": Title("below the bar", "未达标"),
    "none": Title("", ""),
    "absent": Title("not measured", "未测"),
}
SURROUNDINGS: Final[Mapping[str, Title]] = {
    "at": Title("time", "时间"),
    "commit": Title("commit", "提交"),
    "processor": Title("processor", "处理器"),
    "cores": Title("cores", "核数"),
    "memory_gib": Title("memory, GiB", "内存（GiB）"),
    "load_before": Title("load before the start (1, 5, 15 minutes)", "开始前的系统负载（1、5、15 分钟）"),
    "cores_in_use_before": Title("cores in use before the start", "开始前被占用的核数"),
    "system": Title("system", "系统"),
    "python": Title("Python"),
    "postgres": Title("Postgres"),
    "packages": Title("packages", "软件包"),
    "settings": Title("settings", "参数"),
}
