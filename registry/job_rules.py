"""The sentences of what jobs refuse, and of what became of their rows."""

from typing import Final

from registry.language import Catalogue

RULES: Final[Catalogue] = {
    "job.not_found": ("there is no job {job}", "没有编号为 {job} 的任务"),
    "job.too_many": (
        "{limit} jobs are waiting already; send more when some have ended",
        "已有 {limit} 个任务在等待，请待部分任务结束后再提交",
    ),
    "job.disk_full": ("the disk is full; nothing is half done", "磁盘已满；没有任何内容只写入一半"),
    "job.file_missing": ("the file of job {job} is not on this machine", "本机没有任务 {job} 的文件"),
    "job.results_gone": (
        "the file of job {job} is kept no longer, and with it its results",
        "任务 {job} 的文件已过保存期限，逐行结果不再提供",
    ),
    "job.archive_rollback": (
        "templates, ranges and states cannot be taken back: send an archive with onError=proceed",
        "模板、号段和状态无法撤销：提交归档文件时请使用 onError=proceed",
    ),
    "archive.past": (
        "{handle} has another history here: its former versions were not taken in",
        "{handle} 在本节点的历史与此不同，未导入其历史版本",
    ),
    "archive.past_long": (
        "{handle} has more than {limit} versions, or longer ones than can be held at once: the former ones were not "
        "taken in",
        "{handle} 的版本超过 {limit} 个或过长，无法一次处理，未导入其历史版本",
    ),
    "load.state": (
        "{value!r} is no state that can be chosen here: {states}",
        "{value!r} 不是可选的状态：有效、冻结、注销、过期（{states}）",
    ),
    "load.state_missing": (
        "neither the row nor the job says which state: give the column state (状态), or the job a state",
        "该行没有写明状态，任务也没有指定：请填写“状态”列，或提交任务时指定状态",
    ),
    "load.expires": (
        "{value!r} is no time as 2026-01-31T08:00:00+08:00",
        "{value!r} 不是时间（如 2026-01-31T08:00:00+08:00）",
    ),
    "mapping.too_many": ("{limit} mappings are kept already", "已保存 {limit} 个列映射，不能再增加"),
    "job.done": ("done", "完成"),
    "job.not_written": ("not written, because of other rows", "因其他行未通过，未写入"),
    "job.taken_back": ("taken back", "已撤销"),
    "job.not_reached": ("not reached", "未处理"),
}
