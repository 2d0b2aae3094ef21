/** `wslock/react`: a provider and hooks for React 18 and later. */

import type { FunctionComponent, ReactNode } from "react";
import type { SaveHandler, Section, WslockClient, WslockError } from "./wslock.js";

/** Gives the client to the hooks below it. Does not close it: whoever made it does. */
export const WslockProvider: FunctionComponent<{ client: WslockClient; children?: ReactNode }>;

/** The client; renders again when its connection or any section changes. */
export function useWslock(): WslockClient;

/** A section's properties at this render. For methods: `section`. */
export type SectionSnapshot = Readonly<Pick<Section,
  | "id" | "state" | "mayEdit" | "resuming" | "joined" | "lock" | "users" | "viewers" | "policy" | "position" | "estimatedWait" | "turn"
  | "claimable" | "fence" | "ticket" | "previous" | "lastLoss" | "requests" | "asked" | "takeover" | "takingOver" | "dirty">> & {
  readonly section: Section;
  /** Why the room could not be joined. */
  readonly error: WslockError | null;
};

export interface UseSectionOptions {
  /** The save handler: section.onSave(). The one of the last render counts. */
  onSave?: SaveHandler;
  /** Leaves the room when no component shows it any more: its lock ends. Default true. */
  leave?: boolean;
}

/** Joins the section as a viewer while the component is mounted, and renders again with each change. */
export function useSection(id: string, options?: UseSectionOptions): SectionSnapshot;

/** Milliseconds of section.countdown(), each `everyMs` (default 1 s). */
export function useCountdown(section: Section, everyMs?: number): number | null;
