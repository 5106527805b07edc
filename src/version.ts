/** The version of the supervisor. A test compares it with `package.json`. */
export const version = '0.1.0'
