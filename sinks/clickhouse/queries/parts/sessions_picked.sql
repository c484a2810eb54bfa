-- The greatest platform and country of the rows are these.
max(
    if(
        {platform:String} = '',
        1,
        (os_name >= {platform:String}) + (os_name > {platform:String})
    )
) = 1
AND max(
    if(
        {country:String} = '',
        1,
        (country >= {country:String}) + (country > {country:String})
    )
) = 1
