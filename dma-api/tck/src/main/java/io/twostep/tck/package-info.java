/**
 * What proves a backend: base classes with the rules as tests, a machine that watches what is done to it, a device without a mind, and an oracle.
 *
 * <p>Knows the contracts and nothing of any backend or machine: the one comes as its plugin, the other is found by name. Rules are numbered as in {@code docs/writing-a-backend.md}; every
 * test's name starts with the number of the rule it proves.
 */
@NullMarked
package io.twostep.tck;

import org.jspecify.annotations.NullMarked;
