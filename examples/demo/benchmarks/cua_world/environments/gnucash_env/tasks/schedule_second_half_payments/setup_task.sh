#!/bin/bash
# The plain book, without any scheduled transaction, and the landlord's letter.
source /workspace/scripts/task_utils.sh

begin_task || exit 1

inbox rent_increase.txt <<'TXT'
COMMERCIAL STREET HOLDINGS LLC
Portland, Maine                                            May 28, 2024

Casco Bay Instrument Repair
Re: lease of workshop unit 3

Dear Ms. Thibodeau,

as agreed in section 4 of the lease, the base rent of $1,450.00 a month rises by 4 % with the payment of July 2,
2024. From the same day a common-area charge of $38.50 a month is due together with the rent. Please keep paying both
in one amount on the second day of the month.

Yours sincerely,
R. Alden, property manager
TXT

start_task schedule_second_half_payments
