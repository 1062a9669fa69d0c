/**
 * The line of an envelope's policies (the protocol §2, §5.3): an extension keeps its generation of officers; a policy that changes more
 * begins a new one under a higher serial. Bids stay bound to the policy they were sealed under. All of it follows from public policies.
 */
import { equal } from "./bytes.js";
import { canonical } from "./canonical.js";
import { need } from "./errors.js";
import { checkContextOfPolicy, checkPolicy, policyId } from "./policy.js";

const KEPT = ["platform", "tender", "lot", "envelope", "suite", "co_opening", "file_names"];
const NEVER_DOWN = ["deadline", "opens_at", "max_plen"];
const MAY_GROW = new Set([...NEVER_DOWN, "supersedes"]);
export const POLICY_DEAD = "POLICY_DEAD";

const without = (policy) => Object.fromEntries(Object.entries(policy).filter(([key]) => !MAY_GROW.has(key)));
const isDown = (old, young) => NEVER_DOWN.some((key) => young[key] < old[key]);
const isExtension = (old, oldId, young) =>
  young.supersedes === oldId && !isDown(old, young) && equal(canonical(without(old)), canonical(without(young)));
const who = (officer) => JSON.stringify([officer.name, officer.sign_kid]);

function checkSuccessor(old, oldId, young) {
  need(young.supersedes === oldId, "CONTEXT_MISMATCH", "a policy that does not supersede the one before it");
  const changed = KEPT.filter((key) => young[key] !== old[key]);
  need(changed.length === 0, "CONTEXT_MISMATCH", `a successor that changes ${changed.join(", ")}`);
  need(young.serial > old.serial, "CONTEXT_MISMATCH", "new officers under the keys of before: the serial must rise");
  need(!isDown(old, young), "CONTEXT_MISMATCH", "a successor that moves a bound down");
}

/**
 * The generations of a line of policies, oldest first. `tickTimes[i]`: the tick of policy i, which is before the deadline then in force
 * ("" for the first). Gives `[{policies, ids, policy (its newest), missing: [j…], alive, sidesMissing}…]`. Refuses: `CONTEXT_MISMATCH`.
 */
export async function generationsOf(policies, tickTimes = []) {
  need(policies.length > 0, "CONTEXT_MISMATCH", "a line without a policy");
  const runs = [];
  for (let i = 0; i < policies.length; i++) {
    const policy = checkPolicy(policies[i]);
    const id = await policyId(policy);
    const run = runs.at(-1);
    if (run) need(tickTimes[i] !== undefined && tickTimes[i] < run.policies.at(-1).deadline, "CONTEXT_MISMATCH", "changed at or after the old deadline");
    if (run && isExtension(run.policies.at(-1), run.ids.at(-1), policy)) {
      run.policies.push(policy);
      run.ids.push(id);
      continue;
    }
    if (run) checkSuccessor(run.policies.at(-1), run.ids.at(-1), policy);
    runs.push({ policies: [policy], ids: [id] });
  }
  const present = runs.map((run) => new Set(run.policies.at(-1).officers.map(who)));
  return runs.map((run, at) => {
    const policy = run.policies.at(-1);
    const missing = policy.officers.map((_, i) => i + 1).filter((j) => present.slice(at + 1).some((later) => !later.has(who(policy.officers[j - 1]))));
    const alive = missing.length < policy.t && policy.n - missing.length >= policy.t;
    return { ...run, policy, missing, alive, sidesMissing: missing.map((j) => policy.officers[j - 1].side) };
  });
}

/** The generation of a bid, by the policy it was sealed under. Refuses: `CONTEXT_MISMATCH`. */
export function generationOf(generations, id) {
  const found = generations.find((one) => one.ids.includes(id));
  need(found, "CONTEXT_MISMATCH", "a bid under a policy that is not of this line");
  return found;
}

/** The generation of a header, whose officers and thresholds are those of its policy. Refuses: `CONTEXT_MISMATCH`, `TOO_LARGE`. */
export function checkSealedUnder(ctx, generations) {
  const found = generationOf(generations, ctx.policy);
  checkContextOfPolicy(ctx, found.policy, found.ids);
  return found;
}

/** The number an officer of any generation has in this one, by name and signing key; 0 for none. */
export const numberIn = (generation, officer) => generation.policy.officers.findIndex((one) => who(one) === who(officer)) + 1;

/** The number officer j of the newest policy has among the boxes of a bid; 0 where it has none, or the bid's generation is dead. */
export function boxOf(generations, id, j) {
  const found = generationOf(generations, id);
  const officer = generations.at(-1).policy.officers[j - 1];
  need(officer, "CONTEXT_MISMATCH", "no such officer in the newest policy");
  return found.alive ? numberIn(found, officer) : 0;
}

/** Whose fault officers' failure is: their side's, if all are of the platform's or the tenderee's; else unknown (the protocol §5.1). */
export function causeOfSides(sides) {
  const found = [...new Set(sides)];
  return found.length === 1 && ["platform", "tenderee"].includes(found[0]) ? found[0] : "unknown";
}
