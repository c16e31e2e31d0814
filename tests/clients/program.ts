/** What a program does with the generated TypeScript client. Run by `make clients`. */

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const { MANA_CREDITS_URL: baseUrl, MANA_SERVICE_KEY: serviceKey, ANNA: anna, BEN: ben } = process.env;
assert(baseUrl && serviceKey && anna && ben);

const speaking = (headers: Record<string, string>) => createClient<paths>({ baseUrl, headers });
const user = (token: string) => speaking({ Authorization: `Bearer ${token}` });
type Client = ReturnType<typeof user>;

async function balance(client: Client): Promise<number> {
  const { data, error } = await client.GET("/api/v1/credits/balance");
  assert(data, error?.detail);
  return data.balance;
}

/** Redeem a gift, and wait for the worker if it takes a while. */
async function redeem(client: Client, code: string): Promise<void> {
  const { data, error } = await client.POST("/api/v1/gifts/{ref}/redeem", {
    params: { path: { ref: code } },
    body: { sourceAppId: "chat" },
  });
  assert(data, error?.detail);
  if ("creditsReceived" in data) {
    assert.equal(data.creditsReceived, 25);
    return;
  }
  for (let look = 0; look < 100; look++) {
    const { data: job } = await client.GET("/api/v1/jobs/{job_id}", { params: { path: { job_id: data.jobId } } });
    if (job?.status === "done") return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the gift was not redeemed");
}

const asAnna = user(anna);
const asBen = user(ben);
const asService = speaking({ "X-Service-Key": serviceKey });

const grant = { userId: "anna-typescript", amount: 100, reason: "welcome", referenceId: crypto.randomUUID() };
const { data: granted } = await asService.POST("/api/v1/internal/credits/grant", { body: grant });
assert(granted?.ok);
const before = await balance(asAnna);
const beforeBen = await balance(asBen);

const spend = {
  params: { header: { "Idempotency-Key": crypto.randomUUID() } },
  body: { amount: 30, appId: "chat", description: "A question" },
};
const first = await asAnna.POST("/api/v1/credits/use", spend);
const again = await asAnna.POST("/api/v1/credits/use", spend);
assert(first.data && again.data);
assert.equal(again.data.transaction.id, first.data.transaction.id);
assert.equal(again.response.headers.get("Idempotency-Replayed"), "true");
assert.equal(await balance(asAnna), before - 30);

const { data: gift } = await asAnna.POST("/api/v1/gifts", { body: { totalCredits: 25, message: "For you" } });
assert(gift);
await redeem(asBen, gift.code);
assert.equal(await balance(asBen), beforeBen + 25);

const { data: sync } = await asAnna.GET("/api/v1/sync/status");
assert.deepEqual([sync?.active, sync?.interval, sync?.nextChargeAt], [false, "monthly", null]);

const { error, response } = await asAnna.POST("/api/v1/credits/use", {
  body: { amount: 1_000_000, appId: "chat", description: "Too much" },
});
assert.equal(response.status, 402);
assert(error?.code === "insufficient_credits");
const refused = error as components["schemas"]["InsufficientCreditsProblem"];
assert.equal(refused.details.required - refused.details.available, 1_000_000 - (await balance(asAnna)));
console.log(`TypeScript: ${error.title}: ${refused.details.required} asked for, ${refused.details.available} there`);
