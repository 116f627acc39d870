/**
 * Protection information: guards, tuples and their rules, as pure functions over memory (NVM 5.2). Both sides use them, for a checksum
 * is a fact rather than a behaviour; what is checked when, and which status follows, belongs to each side.
 */
@NullMarked
package io.twostep.device.nvme.protection;

import org.jspecify.annotations.NullMarked;
