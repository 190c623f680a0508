"""What is said where another node would have to be asked, in English and Chinese; `registry.rules` takes it up."""

from registry.language import Catalogue

RULES: Catalogue = {
    "edge.elsewhere": (
        "this node only keeps the answers of another one; that is done at {address}",
        "本节点只缓存上游节点的解析结果，此操作请在 {address} 进行",
    ),
    "recursion.limit": (
        "the question was passed on by {limit} servers and is not passed on again",
        "该查询已转发 {limit} 次，不再转发",
    ),
    "recursion.no_answer": (
        "the node that answers for this prefix cannot be reached just now; try again",
        "暂时无法访问负责该前缀的节点，请稍后重试",
    ),
}
