"""What `filament job` and `filament archive` say."""

from typing import Final

from registry.language import Catalogue

HELP: Final[Catalogue] = {
    "job": (
        "Jobs: files whose rows the node works off in the background.",
        "任务：由节点在后台逐行处理的文件。",
    ),
    "job.submit": ("Hand a file over: NDJSON, CSV or XLSX, or an archive.", "提交文件：NDJSON、CSV、XLSX 或归档文件。"),
    "job.kind": (
        "What is done with its rows: register (or replace), update the values given, delete, or put into a state.",
        "任务类型：register 登记（已有则替换）、update 只更新给出的值、delete 删除、state 变更状态。",
    ),
    "job.on_error": (
        "Go on without rows that are refused, or take back what was written.",
        "有行被拒绝时：proceed 继续，rollback 撤销全部写入。",
    ),
    "job.state": ("Of kind state: the new one.", "类型为 state 时的新状态。"),
    "job.reason": ("Why the state changes.", "变更状态的原因。"),
    "job.key": ("A name for it: handed over again under it, it is the same job.", "任务的键；相同的键表示同一个任务。"),
    "job.list": ("List jobs, the newest first.", "列出任务，最新的在前。"),
    "job.show": ("Show how far a job is.", "显示任务进度。"),
    "job.cancel": ("End a job before its time.", "取消任务。"),
    "job.results": (
        "Write every row with what became of it, in the form that was sent.",
        "输出逐行结果，格式与提交的文件相同。",
    ),
    "job.file": ("Write to this file instead of standard output.", "写入文件，默认为标准输出。"),
    "archive": (
        "Write everything that is kept under prefixes, as a file that a job takes in at any node.",
        "导出前缀下的全部内容，可作为任务导入任一节点。",
    ),
    "archive.prefix": ("Only this prefix; may be given several times.", "只导出该前缀，可重复给出。"),
    "archive.since": (
        "Only what changed behind the cursor that an archive begins with.",
        "只导出该游标之后的变更，游标见上次归档的首行。",
    ),
    "archive.file": ("Write to this file instead of standard output.", "写入文件，默认为标准输出。"),
}
MESSAGES: Final[Catalogue] = {
    "job.cancelled": ("job {number} is being ended", "正在取消任务 {number}"),
    "job.no_file": ("the file of job {number} is not on this machine", "本机没有任务 {number} 的文件"),
    "job.wish": (
        "--kind state takes a state of each row, or --state for all and, unless it is active, --reason",
        "--kind state 按各行写明的状态执行，或用 --state 统一指定；除 active 外还需要 --reason",
    ),
}
COLUMNS: Final[Catalogue] = {
    "job": ("Job", "任务"),
    "remaining": ("Seconds left", "剩余秒数"),
    "fault": ("Why", "说明"),
}
