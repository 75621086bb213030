//! Replays of recordings.

pub(super) const PART: &[(&str, &str)] = &[
    ("`{}` is not sent: {}", "`{}` 不发送：{}"),
    ("`{}` is not sent: traces are not replayed", "`{}` 不发送：不回放链路追踪"),
    ("`{}`: what follows cannot be read and is not sent: {}", "`{}`：之后的内容无法读取，不发送：{}"),
    ("`{}`: {} entries without a time or a text are not sent", "`{}`：{} 条没有时间或文本，不发送"),
    ("no signal in `{}` has a time", "`{}` 中没有带时间的信号"),
    ("the server {}", "服务器{}"),
    ("the server answers {}: {}", "服务器返回 {}：{}"),
    ("`--token` must not contain the token itself", "`--token` 不能直接写令牌"),
    ("name where it is: `env:NAME` or `file:PATH`", "请指明令牌所在位置：`env:NAME` 或 `file:PATH`"),
    (
        "make a token with `faultscope token add NAME --role ingest`, and say where it is: `--token env:NAME` or `--token file:PATH`",
        "请用 `faultscope token add NAME --role ingest` 生成令牌，并指明其所在位置：`--token env:NAME` 或 `--token file:PATH`",
    ),
    ("start it with `faultscope serve`, or name its address with `--to URL`", "请用 `faultscope serve` 启动它，或用 `--to URL` 指定其地址"),
    ("is overloaded: it answers {} {} times in a row", "过载：连续 {1} 次返回 {0}"),
    ("replayed {} in {}", "用 {1} 回放了 {0} 的录制"),
    ("{}: {} sent, {} accepted", "{}：发送 {}，接收 {}"),
    ("{} refused, for instance: {}", "{}未接收，例如：{}"),
    ("events", "事件"),
    ("scores", "评分"),
    ("samples", "样本"),
    ("log lines", "日志"),
    ("alerts", "告警"),
];
