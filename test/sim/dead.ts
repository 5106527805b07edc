/** What a call of a dead supervisor throws: nothing that it does reaches the world. */
export class Dead extends Error {}
