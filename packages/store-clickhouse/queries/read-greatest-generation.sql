-- The greatest generation started so far; 0 when there is none.
SELECT toUInt32(max(generation)) AS generation FROM generations
