// What the types refuse.
import { WslockClient } from "wslock";

// @ts-expect-error getToken is missing
new WslockClient({ url: "/ws" });
const client = new WslockClient({ getToken: () => "x" });
// @ts-expect-error there is no such event
client.on("conection", () => {});
const section = client.section("document:1");
// @ts-expect-error an action is APPROVE, DENY or IGNORE
void section.answerRequest("x", "YES");
// @ts-expect-error IGNORE is none for a takeover
void section.answerTakeover("x", "IGNORE");
// @ts-expect-error the state is the library's
section.state = "editing";
// @ts-expect-error a number
section.keepDraft("text", 5);
// @ts-expect-error what is stored has to be named
section.drafts()[0]?.compare();
// @ts-expect-error a result is granted or queued
void section.edit().then((result) => result.fence);
